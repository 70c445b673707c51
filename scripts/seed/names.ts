// Names of seeded users: common Nepali names, combined at random. Any resemblance to real people is coincidental.

type Names = readonly [string, ...string[]];

const words = (text: string) => text.trim().split(/\s+/) as unknown as Names;

export const GIVEN_NAMES = words(`
  Aarati Aayush Abhishek Ajay Alina Amrit Amrita Anil Anita Anjali Anup Anuja Arjun Asha Ashok Asmita Bhawana Bibek Bijay
  Bikash Bimala Bina Binod Bishal Bishnu Chandra Deepak Deepa Dev Dhan Dilip Dinesh Durga Ganesh Ganga Gita Gopal Govinda
  Hari Indira Ishwor Jamuna Janak Jyoti Kabita Kalpana Kamal Kamala Karan Keshav Khem Kiran Krishna Kumar Laxmi Lila Lok
  Madan Mahesh Maya Mina Mohan Muna Nabin Narayan Nirmala Niraj Nisha Om Padam Pasang Pemba Pooja Prabin Prakash Pramila
  Prem Puja Radha Raj Rajan Rajendra Rajesh Ram Rama Ramesh Renu Ritu Rojina Roshan Sabina Sabita Sagar Sanjay Santosh
  Sarita Saroj Shanti Shiva Shyam Sita Srijana Subash Sujan Suman Sunita Suraj Surendra Sushila Tara Tenzing Uma Umesh
  Usha Yam Yubaraj`);

export const SURNAMES = words(`
  Acharya Adhikari Aryal Bajracharya Bam Basnet Bhandari Bhatta Bhattarai Bista Bohara Budhathoki Chaudhary Chhetri Dahal
  Devkota Dhakal Dhungana Gautam Ghale Ghimire Giri Gurung Jha Joshi Kafle Kandel Karki Karna KC Khadka Khanal Koirala
  Lama Lamichhane Limbu Magar Maharjan Mahato Malla Mandal Manandhar Neupane Ojha Oli Pandey Panta Parajuli Paudel Pokharel
  Pradhan Pun Rai Rana Rawal Regmi Sah Sapkota Shah Shahi Sharma Sherpa Shrestha Sigdel Silwal Singh Subedi Tamang Thapa
  Thakuri Tharu Tiwari Tuladhar Upreti Wagle Yadav`);

export const GIVEN_NAMES_IN_DEVANAGARI = words(`
  राम सीता हरि गीता कृष्ण लक्ष्मी विष्णु सरिता मोहन माया राजेश सुनिता प्रकाश अनिता दीपक कमला सुमन आशा गणेश दुर्गा नारायण राधा विकास शान्ति
  सन्तोष उमा रमेश निर्मला`);

export const SURNAMES_IN_DEVANAGARI = words(`
  श्रेष्ठ थापा गुरुङ शर्मा अधिकारी तामाङ राई लामा पौडेल खड्का भट्टराई कोइराला महर्जन यादव मगर लिम्बु`);

export const PLACES = words(`
  Kathmandu Lalitpur Bhaktapur Pokhara Bharatpur Biratnagar Birgunj Butwal Dharan Hetauda Janakpur Nepalgunj Dhangadhi
  Itahari Ghorahi Tulsipur Banepa Gorkha Baglung Tansen Ilam Damak Surkhet Jumla`);

/** Prefixes of the operators' mobile ranges, in national form. */
export const MOBILE_PREFIXES = words("984 985 986 974 975 976 980 981 982 970 961");

/** Domains other than Gmail, which most addresses use. */
export const RARE_MAIL_DOMAINS = words("yahoo.com hotmail.com outlook.com icloud.com proton.me live.com");
